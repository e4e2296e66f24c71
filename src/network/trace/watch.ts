/**
 * Collections of gossipsub that tell of their changes. A mesh is changed in a dozen places of its code, for as many reasons;
 * what they all do is this.
 */

interface MapWatcher<V> {
  added(key: string, value: V): void
  removed(key: string, value: V): void
}

interface SetWatcher {
  added(item: string): void
  removed(item: string): void
}

/** A value in place of another is that one removed and this one added. */
export function watchMap<V>(map: Map<string, V>, watcher: MapWatcher<V>): void {
  const remove = (key: string): boolean => {
    const value = map.get(key)
    const had = Map.prototype.delete.call(map, key)
    if (had) watcher.removed(key, value as V)
    return had
  }
  map.delete = remove
  map.set = (key, value) => {
    if (map.get(key) !== value) {
      remove(key)
      Map.prototype.set.call(map, key, value)
      watcher.added(key, value)
    }
    return map
  }
  map.clear = () => {
    for (const key of [...map.keys()]) remove(key)
  }
}

export function watchSet(set: Set<string>, watcher: SetWatcher): void {
  set.add = (item) => {
    const had = set.has(item)
    Set.prototype.add.call(set, item)
    if (!had) watcher.added(item)
    return set
  }
  set.delete = (item) => {
    const had = Set.prototype.delete.call(set, item)
    if (had) watcher.removed(item)
    return had
  }
  set.clear = () => {
    for (const item of [...set]) set.delete(item)
  }
}

export function unwatchSet(set: Set<string>): void {
  for (const name of ['add', 'delete', 'clear']) Reflect.deleteProperty(set, name)
}
