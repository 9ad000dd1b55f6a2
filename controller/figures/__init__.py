"""Figures: pictures of campaigns described as data, and what draws them as PNG, SVG, HTML or text.

A builder (`progress`, `front`, …) turns what is known of a campaign (`given.Given`) into a `figure.Figure`; a renderer
(`draw_matplotlib`, `draw_terminal`, `draw_html`, and `static/figure.js` in a browser) draws any figure and knows no campaign.
"""
