"""What came out, and is it good?"""
