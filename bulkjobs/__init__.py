"""bulkjobs: create NAVER Cloud Data Flow jobs from an inventory, each row exactly once."""
