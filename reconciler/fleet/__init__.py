"""Fleet and site documents, parsed into the model with every mistake located."""
