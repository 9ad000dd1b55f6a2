"""Evidence bundles: everything that is known of a campaign in one RO-Crate that can be checked without a store."""
