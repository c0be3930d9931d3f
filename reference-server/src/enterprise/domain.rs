//! The records of the example business, and what kind of thing each field is.

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Customer,
    Order,
    Employee,
}

/// What a field holds, which decides how its outline looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The key of the record, or of another one that it belongs to.
    Id,
    /// One of a few words, or a date.
    Word,
    /// The name of a person, which somebody has written.
    Name,
    Email,
    /// Digits of which the last may be known: a telephone number, an account, a card.
    Digits,
    /// An amount, a whole number of cents.
    Cents,
    /// Whatever somebody has written. It is handed on as data that nobody vouches for.
    Written,
}

/// A field of a record, which is a column of the table too.
#[derive(Debug)]
pub(super) struct Field {
    pub name: &'static str,
    pub form: Form,
}

const fn field(name: &'static str, form: Form) -> Field {
    Field { name, form }
}

const CUSTOMER: &[Field] = &[
    field("id", Form::Id),
    field("name", Form::Name),
    field("status", Form::Word),
    field("email", Form::Email),
    field("phone", Form::Digits),
    field("address", Form::Written),
    field("notes", Form::Written),
    field("iban", Form::Digits),
    field("card", Form::Digits),
    field("credit_limit_cents", Form::Cents),
];

const ORDER: &[Field] = &[
    field("id", Form::Id),
    field("customer", Form::Id),
    field("item", Form::Written),
    field("status", Form::Word),
    field("placed", Form::Word),
    field("amount_cents", Form::Cents),
    field("note", Form::Written),
    field("card", Form::Digits),
];

const EMPLOYEE: &[Field] = &[
    field("id", Form::Id),
    field("name", Form::Name),
    field("department", Form::Word),
    field("email", Form::Email),
    field("salary_cents", Form::Cents),
    field("iban", Form::Digits),
    field("review", Form::Written),
];

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Customer, Self::Order, Self::Employee];

    /// Its name in the role file and in results.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Order => "order",
            Self::Employee => "employee",
        }
    }

    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::Customer => "customers",
            Self::Order => "orders",
            Self::Employee => "employees",
        }
    }

    pub(super) const fn fields(self) -> &'static [Field] {
        match self {
            Self::Customer => CUSTOMER,
            Self::Order => ORDER,
            Self::Employee => EMPLOYEE,
        }
    }

    /// The letter with which its ids begin.
    const fn letter(self) -> char {
        match self {
            Self::Customer => 'c',
            Self::Order => 'o',
            Self::Employee => 'e',
        }
    }

    /// The pattern of its ids, for schemas.
    pub(super) const fn id_pattern(self) -> &'static str {
        match self {
            Self::Customer => "^c-[0-9]{1,9}$",
            Self::Order => "^o-[0-9]{1,9}$",
            Self::Employee => "^e-[0-9]{1,9}$",
        }
    }

    /// The id of a record of the example business.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::Customer => "c-1001",
            Self::Order => "o-5001",
            Self::Employee => "e-201",
        }
    }

    /// Whether a text is written like an id of this kind.
    pub(super) fn is_id(self, text: &str) -> bool {
        text.strip_prefix(self.letter()).and_then(|rest| rest.strip_prefix('-')).is_some_and(|digits| {
            (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
        })
    }

    /// The URI of a record.
    pub(super) fn uri(self, id: &str) -> String {
        format!("{}://{id}", self.name())
    }
}
