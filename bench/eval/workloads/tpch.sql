-- SPDX-License-Identifier: GPL-2.0
-- Tables like those of TPC-H (standard specification, revision 3), a tenth of its smallest: the
-- columns that the queries here need, and filler for the others.
SELECT setseed(0.5);

CREATE FUNCTION chars(n int, x bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT substr(string_agg(md5(x::text || k), ''), 1, n) FROM generate_series(1, n / 32 + 1) k
$$;

CREATE TABLE nation (nation int PRIMARY KEY, region int, name text);
CREATE TABLE supplier (supp int PRIMARY KEY, nation int, filler text);
CREATE TABLE customer (cust int PRIMARY KEY, nation int, segment int, filler text);
CREATE TABLE part (part int PRIMARY KEY, promo boolean, brand int, filler text);
CREATE TABLE partsupp (part int, supp int, qty int, cost real, filler text);
CREATE TABLE orders (ord int, cust int, at date, priority int, filler text);
CREATE TABLE lineitem (ord int, line int, part int, supp int, qty real, price real, discount real,
	tax real, flag char, status char, ship date, commit date, receipt date, mode int, filler text);

INSERT INTO nation SELECT n, n % 5, 'nation ' || n FROM generate_series(0, 24) n;
INSERT INTO supplier SELECT s, s % 25, chars(120, s) FROM generate_series(1, 1000) s;
INSERT INTO customer SELECT c, c % 25, c % 5, chars(160, c) FROM generate_series(1, 15000) c;
INSERT INTO part SELECT p, p % 6 = 0, p % 25, chars(100, p) FROM generate_series(1, 20000) p;
INSERT INTO partsupp SELECT p, (p + s * 250) % 1000 + 1, p % 9999, 1 + random() * 999, chars(120, p)
	FROM generate_series(1, 20000) p, generate_series(0, 3) s;
INSERT INTO orders SELECT o, 1 + (o::bigint * 7919) % 15000,
		date '1992-01-01' + (random() * 2405)::int, o % 5, chars(110, o)
	FROM generate_series(1, 150000) o;
INSERT INTO lineitem SELECT ord, l, 1 + (random() * 19999)::int, 1 + (random() * 999)::int,
		1 + (random() * 49)::int, 900 + random() * 90000, (random() * 10)::int / 100.0,
		(random() * 8)::int / 100.0, substr('ARN', 1 + (random() * 2)::int, 1),
		substr('OF', 1 + (random())::int, 1), at + 1 + (random() * 120)::int,
		at + 30 + (random() * 60)::int, at + 10 + (random() * 140)::int,
		(random() * 6)::int, chars(120, ord * 8 + l)
	FROM orders, generate_series(1, 1 + ord % 7) l;

ALTER TABLE orders ADD PRIMARY KEY (ord);
ALTER TABLE lineitem ADD PRIMARY KEY (ord, line);
ALTER TABLE partsupp ADD PRIMARY KEY (part, supp);
