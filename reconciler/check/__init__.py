"""The check of a whole fleet, over processes where that pays."""
