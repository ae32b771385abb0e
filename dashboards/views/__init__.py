"""The pages that come with the product; each module has ``build() -> Page``.

The folder must not be called ``pages``: Streamlit would take its files for programs.
"""
