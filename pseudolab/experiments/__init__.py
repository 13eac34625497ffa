"""Many runs, one file each, and the tables that are made of them."""
