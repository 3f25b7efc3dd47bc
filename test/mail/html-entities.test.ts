import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decodeEntities } from '../../shared/mail/html-entities.ts'

describe('character references', () => {
  const REFERENCES: readonly (readonly [string, string, string])[] = [
    ['by name', '&amp;&lt;&gt;&quot;&apos;', '&<>"\''],
    ['by name, in Latin', 'Gr&uuml;&szlig;e, &Eacute;t&eacute;, &yuml;&iexcl;', 'Grüße, Été, ÿ¡'],
    ['of punctuation', '&euro;&nbsp;5&hellip;&ndash;&bdquo;x&ldquo;', '€\u00a05…–„x“'],
    ['by number', '&#65;&#228;&#8364;&#128230;', 'Aä€📦'],
    ['by hexadecimal number', '&#x41;&#XE4;&#x1F4E6;', 'Aä📦'],
    ['without a semicolon', '&amp &eacute &#65 &#x41g', '& é A Ag'],
    ['numbers of windows-1252', '&#128;&#147;&#150;', '€“–'],
    ['numbers that are no character', '&#0;&#xD800;&#xDFFF;&#x110000;&#99999999;&#129;', '\ufffd'.repeat(6)],
    ['unknown names, which stay', '&unknown; &a b; &; & &#; &#x;', '&unknown; &a b; &; & &#; &#x;'],
    ['names that every object has, which stay', '&constructor;&toString;', '&constructor;&toString;'],
    ['once, not twice', '&amp;lt;', '&lt;'],
  ]
  for (const [what, html, text] of REFERENCES)
    test(`are decoded: ${what}`, () => {
      assert.equal(decodeEntities(html), text)
    })
})
