// protocol/errors.ts → native/gen/errors.h: the codes that C++ answers with, by name.

import { errors } from '../protocol/errors.ts'

/** Where the header lives, from the repository's root. */
export const errorsHeaderPath = 'native/gen/errors.h'

/** The whole header, ready to be written. */
export function emitErrorsHeader(): string {
  const rows = errors.map(
    ({ code, name, text }) => `  ${constantName(name)} = ${code},  // ${text}`,
  )
  return `// Written by \`npm run gen\` from src/protocol/errors.ts. Do not edit.
#pragma once

#include <cstdint>

namespace ottla::gen {

enum class ErrorCode : int16_t {
${rows.join('\n')}
};

// The code as the messages carry it.
constexpr int16_t wire(ErrorCode code) { return static_cast<int16_t>(code); }

}  // namespace ottla::gen
`
}

function constantName(name: string): string {
  const words = name.toLowerCase().split('_')
  return `k${words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('')}`
}
