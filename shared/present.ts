type Present<T> = { [K in keyof T]: Exclude<T[K], undefined> }

/** Without the properties that are undefined. */
export function present<T extends object>(value: T): Partial<Present<T>> {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined)) as Partial<
    Present<T>
  >
}
