"""All of notify's SQL, one function a query. Each takes the transaction first, and names the organisation."""
