"""Where images live: the PACS behind one port."""
