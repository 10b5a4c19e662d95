"""Where a film changes from one shot to the next: cuts, dissolves, wipes and fades, from small pictures of its frames."""
