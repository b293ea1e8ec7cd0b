"""Understanding content: pictures and words to vectors, hashes, near-duplicate groups and interests."""
