"""MLflow: each training is one run, each trained model one self-contained version, and promotion decides which serves.

Nothing here touches MLflow's process-wide state (active run, tracking URI): every call names its client, so trainings
side by side cannot mix. mlflow itself is imported when first used.
"""
