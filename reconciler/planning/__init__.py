"""What a sync has to do: desired and observed in, a plan out."""
