"""CFR+ for sealed-bid auctions with independent types."""
