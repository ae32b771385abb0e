"""Update-equivalent search: improve a blueprint at decision points only."""
