"""ValidatingAdmissionPolicy, decided as the API server decides it."""
