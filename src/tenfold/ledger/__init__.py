"""What everything used and cost: metering runs, prices, and the report on economics."""
