"""`loyalty import`: files of checkouts, members and activities, read in a stream and taken in once."""
