// An answer: a value, or a protocol error with the sentence that goes with it. Errors are values here.

/** What a step of a decision came to. */
export type Answer<Value> = { readonly value: Value } | Refusal

export interface Refusal {
  readonly errorCode: number
  readonly errorMessage: string | null
}

/** A protocol error with its sentence; null where Kafka leaves it to the code. */
export function refuse(errorCode: number, errorMessage: string | null): Refusal {
  return { errorCode, errorMessage }
}

export function isRefusal<Value>(answer: Answer<Value>): answer is Refusal {
  return 'errorCode' in answer
}
