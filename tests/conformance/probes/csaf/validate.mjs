// Prints what the CSAF validator of Secvisogram finds in a document: the strict schema,
// every mandatory and every optional test.
import { readFileSync } from 'node:fs'
import validate from '@secvisogram/csaf-validator-lib/validate.js'
import * as mandatory from '@secvisogram/csaf-validator-lib/mandatoryTests.js'
import * as optional from '@secvisogram/csaf-validator-lib/optionalTests.js'
import { csaf_2_0_strict } from '@secvisogram/csaf-validator-lib/schemaTests.js'

const document = JSON.parse(readFileSync(process.argv[2]))
const tests = [csaf_2_0_strict, ...Object.values(mandatory), ...Object.values(optional)]
const result = await validate(tests, document)
console.log(
  JSON.stringify({
    valid: result.isValid,
    tests: result.tests.length,
    errors: result.tests.flatMap((t) => t.errors.map((e) => `${t.name}: ${e.message}`)),
    warned: result.tests.filter((t) => t.warnings.length).map((t) => t.name),
  }),
)
