import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isoDate } from '../../shared/mail/dates.ts'

describe('a date', () => {
  const DATES: readonly (readonly [string, string, string])[] = [
    ['as RFC 5322 has it', 'Tue, 24 Nov 2026 10:58:55 +0100', '2026-11-24T10:58:55+01:00'],
    ['without the day of the week', '24 Nov 2026 10:58:55 -0330', '2026-11-24T10:58:55-03:30'],
    ['without seconds', 'Tue, 24 Nov 2026 10:58 +0000', '2026-11-24T10:58:00+00:00'],
    ['with one digit for the day', 'Tue, 3 Mar 2026 09:00:00 +0100', '2026-03-03T09:00:00+01:00'],
    ['on a leap day', '29 Feb 2024 12:00:00 +0000', '2024-02-29T12:00:00+00:00'],
    ['on the leap day of 2000', '29 Feb 2000 12:00:00 +0000', '2000-02-29T12:00:00+00:00'],
    ['on the last day of a short month', '30 Nov 2026 12:00:00 +0000', '2026-11-30T12:00:00+00:00'],
    ['in a leap second', '31 Dec 2016 23:59:60 +0000', '2016-12-31T23:59:59+00:00'],
    ['where the sender does not say its offset', '24 Nov 2026 10:58:55 -0000', '2026-11-24T10:58:55Z'],
    ['with a comment', 'Tue, 24 Nov 2026 10:58:55 +0100 (CET (Central Europe))', '2026-11-24T10:58:55+01:00'],
    [
      'with comments everywhere',
      'Fri, 21 Nov 1997 09(comment):   55  :  06 -0600',
      '1997-11-21T09:55:06-06:00',
    ],
    ['in GMT', '24 Nov 2026 10:58:55 GMT', '2026-11-24T10:58:55+00:00'],
    ['in UT', '24 Nov 2026 10:58:55 ut', '2026-11-24T10:58:55+00:00'],
    ['in Eastern Standard Time', '24 Nov 2026 10:58:55 EST', '2026-11-24T10:58:55-05:00'],
    ['in Eastern Daylight Time', '24 Nov 2026 10:58:55 EDT', '2026-11-24T10:58:55-04:00'],
    ['in Pacific Standard Time', '24 Nov 2026 10:58:55 PST', '2026-11-24T10:58:55-08:00'],
    ['in Pacific Daylight Time', '24 Nov 2026 10:58:55 PDT', '2026-11-24T10:58:55-07:00'],
    ['in Central Standard Time', '24 Nov 2026 10:58:55 CST', '2026-11-24T10:58:55-06:00'],
    ['in Mountain Daylight Time', '24 Nov 2026 10:58:55 MDT', '2026-11-24T10:58:55-06:00'],
    ['in a military zone, which says nothing', '24 Nov 2026 10:58:55 Z', '2026-11-24T10:58:55Z'],
    ['in another military zone', '24 Nov 2026 10:58:55 A', '2026-11-24T10:58:55Z'],
    ['in a zone nobody defined', '24 Nov 2026 10:58:55 JST', '2026-11-24T10:58:55Z'],
    ['without a zone', '24 Nov 2026 10:58:55', '2026-11-24T10:58:55Z'],
    ['with two digits for a year of this century', '24 Nov 26 10:58:55 +0000', '2026-11-24T10:58:55+00:00'],
    ['with 49', '24 Nov 49 10:58:55 +0000', '2049-11-24T10:58:55+00:00'],
    ['with 50', '24 Nov 50 10:58:55 +0000', '1950-11-24T10:58:55+00:00'],
    ['with three digits for the year', '24 Nov 103 10:58:55 +0000', '2003-11-24T10:58:55+00:00'],
    ['in lower case', 'tue, 24 nov 2026 10:58:55 gmt', '2026-11-24T10:58:55+00:00'],
    ['with the month in full', 'Tuesday, 24 November 2026 10:58:55 +0100', '2026-11-24T10:58:55+01:00'],
    ['with dashes', '24-Nov-2026 10:58:55 +0100', '2026-11-24T10:58:55+01:00'],
    ['with dots in the time', '24 Nov 2026 10.58.55 +0100', '2026-11-24T10:58:55+01:00'],
    ['with fractions of a second', '24 Nov 2026 10:58:55.882 +0100', '2026-11-24T10:58:55+01:00'],
    ['with a colon in the offset', '24 Nov 2026 10:58:55 +01:00', '2026-11-24T10:58:55+01:00'],
    ['with GMT and the offset', '24 Nov 2026 10:58:55 GMT+0100', '2026-11-24T10:58:55+01:00'],
    ['with a one-digit hour in the offset', '24 Nov 2026 10:58:55 +1:00', '2026-11-24T10:58:55+01:00'],
    ['without space before the offset', '24 Nov 2026 10:58:55+0100', '2026-11-24T10:58:55+01:00'],
    ['of asctime()', 'Tue Nov 24 10:58:55 2026', '2026-11-24T10:58:55Z'],
    ['of asctime(), the day padded', 'Tue Nov  3 10:58:55 2026', '2026-11-03T10:58:55Z'],
    ['of asctime(), zone before the year', 'Tue Nov 24 10:58:55 EST 2026', '2026-11-24T10:58:55-05:00'],
    ['of asctime(), offset after the year', 'Tue Nov 24 10:58:55 2026 +0100', '2026-11-24T10:58:55+01:00'],
    ['in the twelve-hour clock, before noon', 'Wed 29 May 2019 06:09:22 AM EDT', '2019-05-29T06:09:22-04:00'],
    ['in the twelve-hour clock, after noon', 'Wed 29 May 2019 06:09:22 PM EDT', '2019-05-29T18:09:22-04:00'],
    ['in the twelve-hour clock, at noon', '29 May 2019 12:00 p.m.', '2019-05-29T12:00:00Z'],
    ['in the twelve-hour clock, at midnight', '29 May 2019 12:00:00 am', '2019-05-29T00:00:00Z'],
    ['that lies far away', 'Mon, 30 Jun 3609 15:33:50 +0600', '3609-06-30T15:33:50+06:00'],
  ]
  for (const [what, value, iso] of DATES)
    test(`is read: ${what}`, () => {
      assert.equal(isoDate(value), iso)
    })

  const NONE: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['words', 'yesterday'],
    ['a day that the month does not have', '31 Apr 2026 10:00:00 +0000'],
    ['31 June', '31 Jun 2026 10:00:00 +0000'],
    ['31 September', '31 Sep 2026 10:00:00 +0000'],
    ['31 November', '31 Nov 2026 10:00:00 +0000'],
    ['29 February of another year', '29 Feb 2026 10:00:00 +0000'],
    ['29 February of 1900', '29 Feb 1900 10:00:00 +0000'],
    ['day 0', '0 Nov 2026 10:00:00 +0000'],
    ['a month that is none', '24 Foo 2026 10:00:00 +0000'],
    ['hour 24', '24 Nov 2026 24:00:00 +0000'],
    ['hour 13 in the twelve-hour clock', '24 Nov 2026 13:00:00 PM'],
    ['hour 0 in the twelve-hour clock', '24 Nov 2026 00:00:00 AM'],
    ['minute 60', '24 Nov 2026 10:60:00 +0000'],
    ['second 61', '24 Nov 2026 10:00:61 +0000'],
    ['an offset of a day', '24 Nov 2026 10:00:00 +2400'],
    ['an offset of 60 minutes', '24 Nov 2026 10:00:00 +0160'],
    ['a year before mail', '24 Nov 1066 10:00:00 +0000'],
    ['no year', 'Thu Jan 01 00:00:10 +0000'],
    ['no time', '24 Nov 2026'],
    ['ISO 8601', '2026-11-24T10:58:55Z'],
    ['seconds since 1970', '1795514335'],
    ['a date behind 256 characters of something else', `${'x'.repeat(256)} 24 Nov 2026 10:58:55 +0100`],
  ]
  for (const [what, value] of NONE)
    test(`is not made up: ${what}`, () => {
      assert.equal(isoDate(value), undefined)
    })

  test('that a mailer writes is the same instant again', () => {
    const instant = fc.date({
      min: new Date('1970-01-01T00:00:00Z'),
      max: new Date('2199-12-31T00:00:00Z'),
      noInvalidDate: true,
    })

    fc.assert(
      fc.property(instant, (date) => {
        const iso = isoDate(date.toUTCString())
        assert.equal(Date.parse(iso ?? ''), Math.floor(date.getTime() / 1000) * 1000)
      }),
    )
  })

  test('is a valid ISO 8601 date or none, whatever the field is', () => {
    const piece = fc.constantFrom(
      'Tue',
      ',',
      ' ',
      '24',
      '3',
      '0',
      'Nov',
      '2026',
      '99',
      '10',
      ':',
      '58',
      '+0100',
      'EST',
      'PM',
      '(',
      ')',
      '-',
      '.',
    )

    fc.assert(
      fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
        const iso = isoDate(pieces.join(''))
        if (iso !== undefined) assert.ok(!Number.isNaN(Date.parse(iso)), iso)
      }),
      { numRuns: 2000 },
    )
  })
})
