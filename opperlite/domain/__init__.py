"""What the program is: entities, ports and the rules between them. Imports the standard library and msgspec only."""
