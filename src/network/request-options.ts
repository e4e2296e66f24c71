export interface RequestOptions {
  readonly signal?: AbortSignal
}
