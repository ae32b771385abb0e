"""The pages that come with the product; each module has ``build() -> Page``."""
