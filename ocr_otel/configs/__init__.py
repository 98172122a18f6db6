"""Configuration files for applications of Hydra, by `hydra.searchpath=[pkg://ocr_otel.configs]`.

`ocr_otel.configs.store` has the same as structured configurations. Importing this package imports nothing else.
"""
