const KEPT = 100_000;

/** What was asked of a server, oldest first; the newest hundred thousand. */
export class CallLog<Call> {
  #calls: Call[] = [];

  add(call: Call): void {
    this.#calls.push(call);
    if (this.#calls.length > 2 * KEPT) this.#calls = this.#calls.slice(-KEPT);
  }

  get calls(): readonly Call[] {
    return this.#calls.slice(-KEPT);
  }

  clear(): void {
    this.#calls = [];
  }
}
