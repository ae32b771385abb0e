"""Drawing functions: data in, Plotly figure out.  They read no files and know nothing of Streamlit."""
