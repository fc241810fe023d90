/** The line through points that is least squares away, as its change per unit of x. Of two points at least. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanX, meanY] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const over = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const under = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return under === 0 ? 0 : over / under;
}

/** How much the line through the points rises from the first to the last. */
export function riseOf(points: readonly (readonly [x: number, y: number])[]): number {
  return slopeOf(points) * ((points.at(-1)?.[0] ?? 0) - (points[0]?.[0] ?? 0));
}
