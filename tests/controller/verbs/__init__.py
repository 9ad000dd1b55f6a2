"""What people can ask: tables, exports, bundles, imports."""
