"""Total variation, pixel by pixel."""

from textbook.numbers import mp


def total_variation(pred, norm="l1"):
    tall, wide = len(pred), len(pred[0])
    rows = []
    for i in range(tall):
        row = []
        for j in range(wide):
            down = pred[i + 1][j] - pred[i][j] if i + 1 < tall else mp.zero
            across = pred[i][j + 1] - pred[i][j] if j + 1 < wide else mp.zero
            row.append(abs(down) + abs(across) if norm == "l1" else mp.sqrt(down**2 + across**2))
        rows.append(row)
    return rows
