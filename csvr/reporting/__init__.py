"""Tables and figures from the metrics of finished runs. Reports only read; they are no runs themselves."""
