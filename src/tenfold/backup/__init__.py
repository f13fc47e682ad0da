"""The whole workspace as one folder of files, made while others work; and a workspace from it.

    manifest.json       what belongs to the backup, with digests; written last
    catalog-MOMENT/     the catalog, one file a table, and the list of blobs
    blobs/ab/abcd…      pictures, packs, trunks and whatever else is known by its SHA-256

A backup into the same folder copies only blobs that are new, and takes the place of the one before
at the moment its manifest is written. Features are left out: they can be computed again.
"""

from tenfold.backup.backing_up import BackedUp, back_up
from tenfold.backup.restoring import Restored, restore

__all__ = ["BackedUp", "Restored", "back_up", "restore"]
