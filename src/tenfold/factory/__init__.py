"""From pictures to judged models: ingest, plan, embed, fit, calibrate, judge, make."""
