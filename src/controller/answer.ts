// An answer: a value, or a protocol error with the sentence that goes with it. Errors are values here.

/** What a step of a decision came to. */
export type Answer<Value> = { readonly value: Value } | Refusal

export interface Refusal {
  readonly errorCode: number
  readonly errorMessage: string
}

/** A protocol error with its sentence. */
export function refuse(errorCode: number, errorMessage: string): Refusal {
  return { errorCode, errorMessage }
}

export function isRefusal<Value>(answer: Answer<Value>): answer is Refusal {
  return 'errorCode' in answer
}
