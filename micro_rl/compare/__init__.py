"""Many runs on one page: which were compared, what they score, how sure that is, what they withstand and cost."""
