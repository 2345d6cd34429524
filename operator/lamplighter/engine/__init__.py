"""How any object is reconciled: queue, workers, index, writes, health. Knows no trainings and no deployments."""
