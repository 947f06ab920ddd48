export interface MarkedRun {
  text: string
  marked: boolean
}

/** A text in pieces; `marks` are places from and to, in code points. Those that make no sense are passed over. */
export function markedRuns(text: string, marks: readonly (readonly number[])[]): MarkedRun[] {
  const points = Array.from(text)
  const runs: MarkedRun[] = []
  let at = 0
  const add = (from: number, to: number, marked: boolean): void => {
    if (to > from) runs.push({ text: points.slice(from, to).join(''), marked })
  }
  for (const [from = 0, to = 0] of [...marks].sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0))) {
    if (from < at || to <= from || to > points.length) continue
    add(at, from, false)
    add(from, to, true)
    at = to
  }
  add(at, points.length, false)
  return runs
}
