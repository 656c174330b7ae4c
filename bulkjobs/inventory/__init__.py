"""CSV and Parquet files → rows of text, with the line of every record and a problem for everything wrong."""
