"""Records: the frozen nouns that layers exchange. Named columns, validated once."""

from bowerbird.records.campaign import CAMPAIGN_SCHEMA, Campaign
from bowerbird.records.candidates import Candidates, Drop, Found
from bowerbird.records.event import ACTION_CODE, ACTIONS, EVENT_SCHEMA, POSITIVE_ACTIONS, Event, Events
from bowerbird.records.history import History
from bowerbird.records.item import ITEM_SCHEMA, Item, Items
from bowerbird.records.query import QUERY_SCHEMA
from bowerbird.records.request import Context, Interest, Request
from bowerbird.records.signal import SignalCard, Space, Vectors
from bowerbird.records.slate import Attribution, Notification, NotificationPlan, Slate, SlateEntry, StageTrace
from bowerbird.records.user import USER_SCHEMA, User, Users
from bowerbird.records.vocabulary import Vocabulary

__all__ = [
    "ACTIONS",
    "ACTION_CODE",
    "CAMPAIGN_SCHEMA",
    "EVENT_SCHEMA",
    "ITEM_SCHEMA",
    "POSITIVE_ACTIONS",
    "QUERY_SCHEMA",
    "USER_SCHEMA",
    "Attribution",
    "Campaign",
    "Candidates",
    "Context",
    "Drop",
    "Event",
    "Events",
    "Found",
    "History",
    "Interest",
    "Item",
    "Items",
    "Notification",
    "NotificationPlan",
    "Request",
    "SignalCard",
    "Slate",
    "SlateEntry",
    "Space",
    "StageTrace",
    "User",
    "Users",
    "Vectors",
    "Vocabulary",
]
