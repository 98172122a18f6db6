"""Grafana dashboards of trainings: the program that builds them, the JSON it wrote, and provisioning."""
