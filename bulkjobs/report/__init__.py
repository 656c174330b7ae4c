"""Journal + inventory → results.csv, results.parquet, retry.csv, summary.json. Pure rendering."""
