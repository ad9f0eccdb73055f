"""The API over HTTP: checkout, facts in, queries, alerts out, probes. It decides nothing; lanes answer, it carries.

Reading order: routes (what there is) → asgi (one call's way) → tokens and masking (who may do and see what) → checkout
(append, await, fallback) → events, reads, alerts → openapi (the description, generated from bodies).
"""
