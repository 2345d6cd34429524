"""How anything is reconciled: queue, workers, index, writes, health. Knows no training and no deployment."""
