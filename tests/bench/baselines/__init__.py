"""What people use today, as a careful person writes it: each notes what was answered and skips it when run again."""
