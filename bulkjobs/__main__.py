"""``python -m bulkjobs``."""

from bulkjobs.cli.main import main

if __name__ == "__main__":
    main()
