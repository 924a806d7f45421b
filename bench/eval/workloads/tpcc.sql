-- SPDX-License-Identifier: GPL-2.0
-- Tables and transactions like those of TPC-C (standard specification, revision 5.11), shortened:
-- names, phones and addresses are left out, with their bytes kept as filler. Of the columns, what
-- transactions read and write is there. Set :warehouses.
SELECT setseed(0.5);

CREATE TABLE warehouse (w int PRIMARY KEY, ytd numeric NOT NULL, tax real, filler char(80));
CREATE TABLE district (w int, d int, next_o int NOT NULL, ytd numeric NOT NULL, tax real,
	filler char(80), PRIMARY KEY (w, d));
CREATE TABLE customer (w int, d int, c int, last int NOT NULL, balance numeric NOT NULL,
	paid numeric NOT NULL, payments int NOT NULL, data text, PRIMARY KEY (w, d, c));
CREATE TABLE history (w int, d int, c int, at timestamptz, amount numeric, filler char(24));
CREATE TABLE item (i int PRIMARY KEY, price numeric NOT NULL, data text);
CREATE TABLE stock (w int, i int, quantity int NOT NULL, ytd int NOT NULL, orders int NOT NULL,
	data text, PRIMARY KEY (w, i));
CREATE TABLE orders (w int, d int, o int, c int NOT NULL, at timestamptz, carrier int, lines int);
CREATE TABLE new_order (w int, d int, o int, PRIMARY KEY (w, d, o));
CREATE TABLE order_line (w int, d int, o int, n int, i int NOT NULL, delivered timestamptz,
	quantity int, amount numeric, filler char(24));

-- So many characters that do not compress to nothing.
CREATE FUNCTION chars(n int, x bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT substr(string_agg(md5(x::text || k), ''), 1, n) FROM generate_series(1, n / 32 + 1) k
$$;

INSERT INTO warehouse SELECT w, 300000, 0.1, 'w' FROM generate_series(1, :warehouses) w;
INSERT INTO district SELECT w, d, 3001, 30000, 0.1, 'd'
	FROM generate_series(1, :warehouses) w, generate_series(1, 10) d;
INSERT INTO customer SELECT w, d, c, c % 1000, -10, 10, 1, chars(400, c)
	FROM generate_series(1, :warehouses) w, generate_series(1, 10) d, generate_series(1, 3000) c;
INSERT INTO item SELECT i, 1 + random() * 99, chars(40, i) FROM generate_series(1, 100000) i;
INSERT INTO stock SELECT w, i, 10 + random() * 90, 0, 0, chars(280, i)
	FROM generate_series(1, :warehouses) w, generate_series(1, 100000) i;
INSERT INTO orders SELECT w, d, o, (o * 7919) % 3000 + 1, now(),
		CASE WHEN o <= 2100 THEN 1 + o % 10 END, 5 + o % 11
	FROM generate_series(1, :warehouses) w, generate_series(1, 10) d, generate_series(1, 3000) o;
INSERT INTO new_order SELECT w, d, o FROM orders WHERE carrier IS NULL;
INSERT INTO order_line SELECT w, d, o, n, 1 + random() * 99999,
		CASE WHEN carrier IS NOT NULL THEN at END, 5, random() * 9999, 'l'
	FROM orders, generate_series(1, lines) n;

ALTER TABLE orders ADD PRIMARY KEY (w, d, o);
ALTER TABLE order_line ADD PRIMARY KEY (w, d, o, n);
CREATE INDEX ON orders (w, d, c, o);
CREATE INDEX ON customer (w, d, last);

-- Clause 2.1.6: non-uniform random numbers.
CREATE FUNCTION nurand(a int, x int, y int) RETURNS int LANGUAGE sql VOLATILE AS $$
	SELECT ((floor(random() * (a + 1))::int | (x + floor(random() * (y - x + 1))::int)) + 42)
		% (y - x + 1) + x
$$;

-- Clause 2.4
CREATE FUNCTION new_order(w_ int, d_ int, c_ int, seed float) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	o_ int;
	i_ int;
	q int;
	lines_ int;
	total numeric := 0;
	price_ numeric;
BEGIN
	PERFORM setseed(seed);
	lines_ := 5 + floor(random() * 11);
	PERFORM balance FROM customer WHERE w = w_ AND d = d_ AND c = c_;
	UPDATE district SET next_o = next_o + 1 WHERE w = w_ AND d = d_ RETURNING next_o - 1 INTO o_;
	INSERT INTO orders VALUES (w_, d_, o_, c_, now(), NULL, lines_);
	INSERT INTO new_order VALUES (w_, d_, o_);
	FOR n_ IN 1..lines_ LOOP
		i_ := nurand(8191, 1, 100000);
		q := 1 + floor(random() * 10);
		SELECT price INTO price_ FROM item WHERE i = i_;
		UPDATE stock SET quantity = CASE WHEN quantity >= q + 10 THEN quantity - q
				ELSE quantity - q + 91 END, ytd = ytd + q, orders = orders + 1
			WHERE w = w_ AND i = i_;
		INSERT INTO order_line VALUES (w_, d_, o_, n_, i_, NULL, q, q * price_, 'l');
		total := total + q * price_;
	END LOOP;
	RETURN total;
END $$;

-- Clause 2.5; six in ten customers are known by their last name.
CREATE FUNCTION payment(w_ int, d_ int, seed float) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	c_ int;
	h numeric;
BEGIN
	PERFORM setseed(seed);
	h := 1 + floor(random() * 5000);
	UPDATE warehouse SET ytd = ytd + h WHERE w = w_;
	UPDATE district SET ytd = ytd + h WHERE w = w_ AND d = d_;
	c_ := customer_some(w_, d_);
	UPDATE customer SET balance = balance - h, paid = paid + h, payments = payments + 1
		WHERE w = w_ AND d = d_ AND c = c_;
	INSERT INTO history VALUES (w_, d_, c_, now(), h, 'h');
END $$;

CREATE FUNCTION customer_some(w_ int, d_ int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	last_ int;
	all_ int[];
BEGIN
	IF random() >= 0.6 THEN
		RETURN nurand(1023, 1, 3000);
	END IF;
	last_ := nurand(255, 0, 999);
	SELECT array_agg(c ORDER BY c) INTO all_ FROM customer WHERE w = w_ AND d = d_ AND last = last_;
	RETURN all_[(cardinality(all_) + 1) / 2];
END $$;

-- Clause 2.6
CREATE FUNCTION order_status(w_ int, d_ int, seed float) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	c_ int;
	o_ int;
BEGIN
	PERFORM setseed(seed);
	c_ := customer_some(w_, d_);
	SELECT o INTO o_ FROM orders WHERE w = w_ AND d = d_ AND c = c_ ORDER BY o DESC LIMIT 1;
	RETURN (SELECT sum(amount) FROM order_line WHERE w = w_ AND d = d_ AND o = o_);
END $$;

-- Clause 2.7
CREATE FUNCTION delivery(w_ int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	o_ int;
	c_ int;
BEGIN
	FOR d_ IN 1..10 LOOP
		SELECT o INTO o_ FROM new_order WHERE w = w_ AND d = d_ ORDER BY o LIMIT 1
			FOR UPDATE SKIP LOCKED;
		CONTINUE WHEN o_ IS NULL;
		DELETE FROM new_order WHERE w = w_ AND d = d_ AND o = o_;
		UPDATE orders SET carrier = 1 WHERE w = w_ AND d = d_ AND o = o_ RETURNING c INTO c_;
		UPDATE order_line SET delivered = now() WHERE w = w_ AND d = d_ AND o = o_;
		UPDATE customer SET balance = balance + (SELECT sum(amount) FROM order_line l
			WHERE l.w = w_ AND l.d = d_ AND l.o = o_) WHERE w = w_ AND d = d_ AND c = c_;
	END LOOP;
END $$;

-- Clause 2.8
CREATE FUNCTION stock_level(w_ int, d_ int) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(DISTINCT s.i) FROM district, order_line l, stock s
	WHERE district.w = w_ AND district.d = d_ AND l.w = w_ AND l.d = d_
		AND l.o >= next_o - 20 AND l.o < next_o AND s.w = w_ AND s.i = l.i AND s.quantity < 15
$$;
