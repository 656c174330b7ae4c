"""Journal + inventory → results.csv, results.parquet, retry.csv, report.html, summary.json. Pure rendering."""
